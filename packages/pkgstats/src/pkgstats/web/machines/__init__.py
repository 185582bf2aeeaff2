"""What browsers, search engines, other sites and programs ask that is no page's twin."""
