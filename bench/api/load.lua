-- wrk's script: cycles over the bodies in a file, thinks between requests if told to, ends with one line of JSON.
-- LOAD_BODIES: file, one body a line. LOAD_KEY: API key, may be empty. LOAD_THINK_MS: mean pause of a connection.

local requests, turn = {}, 0
local think = tonumber(os.getenv("LOAD_THINK_MS"))

function init(arguments)
  local headers, key = { ["Content-Type"] = "application/json" }, os.getenv("LOAD_KEY")
  if key ~= "" then headers["Authorization"] = "Bearer " .. key end
  for body in io.lines(os.getenv("LOAD_BODIES")) do
    requests[#requests + 1] = wrk.format("POST", nil, headers, body)
  end
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end

if think > 0 then
  function delay() return math.floor(math.random() * 2 * think + 0.5) end
end

function done(summary, latency, _)
  local e, ms = summary.errors, function(p) return latency:percentile(p) / 1000 end
  io.write(string.format(
    '\n{"requests":%d,"seconds":%.6f,"p50":%.3f,"p99":%.3f,"p999":%.3f,"max":%.3f,'
      .. '"refused":%d,"connect":%d,"read":%d,"write":%d,"timeout":%d}\n',
    summary.requests, summary.duration / 1e6, ms(50), ms(99), ms(99.9), latency.max / 1000,
    e.status, e.connect, e.read, e.write, e.timeout))
end
