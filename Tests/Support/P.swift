func supportPlaceholder() {}
