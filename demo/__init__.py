"""What a newcomer runs first: local servers, data sets, the load generator, a webhook receiver and the whole story."""
