"""Posts about packages: which ones, in what words, how often, and to whom.

`choosing`, `wording` and `pace` are pure; `memory` keeps what was posted, `running` does it, and
`to_stream`, `to_file` and `to_mastodon` are who it is handed to (`poster.Poster`).
"""
