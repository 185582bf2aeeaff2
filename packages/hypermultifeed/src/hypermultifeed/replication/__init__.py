"""Who sends what when: channels, extensions, feed and multifeed exchange. Pure."""
