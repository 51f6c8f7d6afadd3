"""What an answer is once it is read: its types, and units."""
