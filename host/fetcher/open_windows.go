package fetcher

const nonblock = 0
