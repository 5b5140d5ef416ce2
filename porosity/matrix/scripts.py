"""Programs in the languages that two peers have in them, which look into answers where their settings cannot: for names that records lead to. Pure.

They show what could be closed by who writes a program, and are no configuration that a manual gives.
"""

from __future__ import annotations

from porosity.matrix.forms import Orders

_POWERDNS = """\
function postresolve(dq)
  if dq.qtype ~= pdns.HTTPS and dq.qtype ~= pdns.SVCB then return false end
  for _, record in ipairs(dq:getRecords()) do
    local target = record:getContent():match("^%d+ (%S+)")
    if target and target ~= "." and (below:check(newDN(target)) or only[target:lower()]) then
      dq:setRecords({})
      dq.extendedErrorCode = 16
      return true
    end
  end
  return false
end
"""

_KNOT = """\
local function name_at(rdata, at)  -- in wire form, lower case
  local last = at
  while rdata:byte(last) > 0 do last = last + 1 + rdata:byte(last) end
  return rdata:sub(at, last):lower()
end
local function covered(name)
  if only[name] then return true end
  while #name > 1 do
    if below[name] then return true end
    name = name:sub(name:byte() + 2)
  end
  return false
end
local target = { [kres.type.CNAME] = 1, [64] = 3, [65] = 3 }  -- of SVCB and HTTPS, behind a priority of two octets
policy.add(function(req, query)
  for number = 0, tonumber(req.answ_selected.len) - 1 do
    local entry = req.answ_selected.at[number]
    local at = entry.to_wire and target[entry.rr.type]
    for each = 0, at and entry.rr:rdcount() - 1 or -1 do
      if covered(name_at(entry.rr:rdata(each), at)) then return policy.DENY end
    end
  end
end, true)
"""


def powerdns(orders: Orders) -> str:
    """A script for PowerDNS Recursor: no data where an HTTPS or SVCB record leads to a name that an order covers."""
    below = ", ".join(f"'{name}.'" for name, match in orders if match == "subtree")
    only = ", ".join(f"['{name}.'] = true" for name, match in orders if match != "subtree")
    return f"below = newDS()\nbelow:add{{{below}}}\nonly = {{{only}}}\n\n{_POWERDNS}"


def knot(orders: Orders) -> str:
    """A rule for Knot Resolver, held against answers: NXDOMAIN where a CNAME, HTTPS or SVCB record leads to a name that an order covers."""
    lines = ["local below, only = {}, {}"]
    lines += [f"{'below' if match == 'subtree' else 'only'}[todname('{name}.')] = true" for name, match in orders]
    return "\n".join(lines) + f"\n{_KNOT}"
