"""The formats of data that come with Snugtune, built on the plug-in point for them."""
