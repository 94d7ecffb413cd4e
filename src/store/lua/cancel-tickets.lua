-- Gives tickets back: they count neither in their pool nor at the node that they go to any more.
-- KEYS[1] warming:<template>  [2…] placed:<node>, of every node: whoever gives one back need not know where it goes
-- ARGV[1…] ids
-- Returns how many there still were
for index = 2, #KEYS do redis.call('ZREM', KEYS[index], unpack(ARGV)) end
return redis.call('ZREM', KEYS[1], unpack(ARGV))
