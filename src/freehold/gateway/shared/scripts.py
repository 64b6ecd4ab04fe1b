"""What runs inside Valkey, each whole or not at all: lending units of a limit, and keeping answers within a bound.

Levels are integers of a sixty-millionth of a unit, so that a microsecond's refill is exact.
"""

from __future__ import annotations

CLOCK = """\
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
"""
"""The server's own, so that no two processes need agree on the time."""

_LEND = """\
local scale = 60000000
local limit, holder, number = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local keep, back, owed = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local need, more, ahead = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
local lasts = tonumber(ARGV[10])
local cap = limit * scale
local level, at = cap, now
local others, mine, last, over = 0, 0, 0, {}
local found = redis.call('HGETALL', KEYS[1])
for i = 1, #found, 2 do
  local name, value = found[i], found[i + 1]
  if name == 'level' then level = tonumber(value)
  elseif name == 'at' then at = tonumber(value)
  else
    local amount, ends, said = string.match(value, '^(%d+) (%d+) (%d+)$')
    amount, ends, said = tonumber(amount), tonumber(ends), tonumber(said)
    if name == holder then mine, last = amount, said else others = others + amount end
    if ends <= now then
      table.insert(over, {ends, amount, name})
    end
  end
end
if number <= last then return {-1, 0, 0, 0} end
-- Level and what is lent never exceed the limit together: so what is spent cannot, whenever it is spent.
local function refill(till, lent)
  level = level + math.max(till - at, 0) * limit
  level = math.min(level, math.max(cap - lent * scale, 0))
  at = till
end
table.sort(over, function(a, b) return a[1] < b[1] end)
for _, one in ipairs(over) do
  refill(math.max(one[1], at), others + mine)
  if one[3] == holder then mine = 0 else others = others - one[2] end
  redis.call('HDEL', KEYS[1], one[3])
end
refill(now, others + mine)
keep = math.min(keep, mine)
back = math.min(back, mine - keep)
level = level + (back - owed) * scale
level = math.min(level, math.max(cap - (others + keep) * scale, 0))
local there = math.max(math.floor(level / scale), 0)
local granted, wait = 0, 0
if need > limit then
  -- More than a whole minute's worth passes when the bucket is as full as it gets, or it never could.
  if level >= math.max(cap - (others + keep) * scale, 0) then granted = need end
elseif need <= there then
  granted = need + math.min(more, there - need)
  -- Ahead of need no more than half of what is left: others may need it now.
  granted = granted + math.min(ahead, math.floor((there - granted) / 2))
end
if granted < need then
  wait = math.ceil(math.max(math.min(need, limit) * scale - level, 0) / limit / 1000) + 1
end
level = level - granted * scale
redis.call('HSET', KEYS[1], 'level', string.format('%.0f', level), 'at', string.format('%.0f', now),
  holder, string.format('%.0f %.0f %.0f', keep + granted, now + lasts * 1000, number))
-- Kept until it would be full anyway.
redis.call('PEXPIRE', KEYS[1], math.ceil((cap - level) / limit / 1000) + lasts + 1000)
return {keep, granted, wait, math.max(math.floor(level / scale), 0)}
"""

LEND = CLOCK + _LEND
"""KEYS: the limit. ARGV: units a minute, who asks, the number of this word (they grow), units kept, given back and
owed, units needed (all or none), wanted by others who wait there, wanted ahead of need, milliseconds they are lent for.
Gives: units kept, units granted, milliseconds to wait where none were, units left. A word heard late changes nothing,
and gives -1.
"""

_CENSUS = """\
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('(%.0f', now - ARGV[2] * 1000000))
redis.call('ZADD', KEYS[1], string.format('%.0f', now), ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2] * 2000)
return redis.call('ZCARD', KEYS[1])
"""
CENSUS = CLOCK + _CENSUS
"""KEYS: who is there. ARGV: who asks, seconds after which somebody silent is not. Gives how many there are."""

KEEP = (
    CLOCK
    + """\
local bytes, index, total = tonumber(ARGV[3]), KEYS[2], KEYS[3]
local today = math.floor(now / 1000)
local function drop(member)
  redis.call('ZREM', index, member)
  redis.call('DECRBY', total, string.sub(member, 33))
end
for _, one in ipairs(redis.call('ZRANGEBYSCORE', index, '-inf', string.format('%.0f', today), 'LIMIT', 0, 1000)) do
  drop(one)
end
local before = redis.call('STRLEN', KEYS[1])
local member = ARGV[1] .. string.format('%.0f', before)
if before > 0 and redis.call('ZSCORE', index, member) then drop(member) end
redis.call('DEL', KEYS[1])
local size = #ARGV[2]
if size * 8 > bytes then return 0 end
while tonumber(redis.call('GET', total) or '0') + size > bytes do
  local first = redis.call('ZRANGE', index, 0, 0)[1]
  if not first then
    redis.call('DEL', total)
    break
  end
  redis.call('DEL', ARGV[5] .. string.sub(first, 1, 32))
  drop(first)
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[4])
redis.call('ZADD', index, string.format('%.0f', today + ARGV[4]), ARGV[1] .. size)
redis.call('INCRBY', total, size)
return 1
"""
)
"""KEYS: the answer, the index of answers by their end, their size. ARGV: its digest, the sealed answer, most bytes of
all, milliseconds it is kept, what stands before digests in names. Those that end first make room.
"""
