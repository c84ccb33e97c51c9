"""What people are told: notices in the pages and e-mails, kept until they are read or sent."""
