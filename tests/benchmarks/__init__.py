"""Measurements, one command each. They are recorded under results/ and never asserted."""
