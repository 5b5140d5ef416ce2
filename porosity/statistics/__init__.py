"""The statistics that estimates are made with: numbers in, numbers out. No file, no clock; what is random has a seed."""
