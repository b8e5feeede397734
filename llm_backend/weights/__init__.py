"""Where trained weights live: adapters on one base, full copies, or shards of them."""
