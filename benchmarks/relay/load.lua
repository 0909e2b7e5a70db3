-- Calls a tool again and again, each with an id of its own, and checks every answer.
-- From the environment: HEADERS ("name=value" by ";"), BEFORE and AFTER (the body around the id),
-- EXPECTED (a text of every good answer), LEAST (its smallest size in bytes).
local headers = { ["Content-Type"] = "application/json", ["Accept"] = "application/json, text/event-stream" }
for name, value in string.gmatch(os.getenv("HEADERS"), "([^=;]+)=([^;]*)") do headers[name] = value end
local before, after = os.getenv("BEFORE"), os.getenv("AFTER")
local expected, least = os.getenv("EXPECTED"), tonumber(os.getenv("LEAST"))
local number = 0
local threads = {}
bad = 0

function setup(thread) table.insert(threads, thread) end

function request()
  number = number + 1
  local body = after == "" and before or (before .. number .. after)
  return wrk.format("POST", nil, headers, body)
end

function response(status, _, body)
  if status ~= 200 or #body < least or not string.find(body, expected, 1, true) then
    bad = bad + 1
    if bad == 1 then io.stderr:write(status, " ", string.sub(body, 1, 300), "\n") end
  end
end

function done(summary, latency)
  local wrong = 0
  for _, thread in ipairs(threads) do wrong = wrong + thread:get("bad") end
  io.write(string.format('MEASURED{"calls":%d,"micros":%d,"bad":%d,"p50_us":%d,"p99_us":%d}\n',
    summary.requests, summary.duration, wrong, latency:percentile(50), latency:percentile(99)))
end
