"""What a user would pick instead, each behind one minimal route with the same form fields."""
