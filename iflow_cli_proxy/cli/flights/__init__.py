"""What the flight recorder kept, found and shown, asked again and compared: behind `explain`, `replay` and `align`."""
