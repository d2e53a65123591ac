"""What a finished run says of itself: the page, the card of its shards, one record's story."""
