"""What can be wrong with a data set, each check in a stream and in bounded memory."""
