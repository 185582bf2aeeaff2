"""Sockets, and who is connected with whom: the DHT, the LAN, the swarm, the networker."""
