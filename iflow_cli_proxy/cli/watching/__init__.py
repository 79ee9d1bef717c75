"""What a running gateway does at this moment, asked and shown: behind `top`."""
