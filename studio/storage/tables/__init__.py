"""Files of rows, each kind read as a stream and by place, whatever their size."""
