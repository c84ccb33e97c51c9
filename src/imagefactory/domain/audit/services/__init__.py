"""Write the trail, sign it, check it, count refusals, let old months go: one verb a file."""
