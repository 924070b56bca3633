"""Images of other sizes and other places of pixels, in tables (profile ``extended``)."""
