"""What can be done with a build, a verb a file."""
