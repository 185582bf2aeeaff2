"""Where facts come from: a registry, its downloads, tarballs; asked politely, never believed."""
