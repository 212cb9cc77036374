"""Files that are whole or not there, and arrays that lie in files because they are too long for memory."""
