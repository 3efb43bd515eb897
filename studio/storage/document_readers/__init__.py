"""The readers of documents that come with Snugtune, built on the plug-in point."""
