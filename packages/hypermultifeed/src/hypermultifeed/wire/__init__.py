"""The hypercore 9 wire: Noise handshake, cipher, frames, messages. Pure; knows no feeds."""
