"""Image Factory: builds container and VM images from source, checks them and hands them out under control."""

__version__ = "0.1.0"
