"""What a point asks for."""
