"""Finding peers: the messages, tables and queries of the DHT, and mDNS. Pure."""
