"""What writers say about packages: records, their CBOR form, and blocks of them."""
