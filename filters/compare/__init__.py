"""Did filtering pay: the same training on several selections of one pool, several seeds each, measured and compared."""
