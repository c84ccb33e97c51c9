"""What the web pages and the API share of HTTP: request id, actor, failures, health."""
