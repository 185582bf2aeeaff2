"""Bytes to values and back: varints, protobuf messages, bitfield runs. Pure."""
