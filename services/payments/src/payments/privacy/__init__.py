"""Contact data of buyers: kept, exported and erased (PP 6.2)."""
