"""Vector indexes beside each other: same data, same parameters, same questions."""
