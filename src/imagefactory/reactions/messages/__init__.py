"""What people are told of events: one file of composers for each area, and one table that names them all."""
