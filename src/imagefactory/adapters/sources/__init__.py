"""Where the source of a build comes from: a git repository, an uploaded archive, or the manifest itself."""
