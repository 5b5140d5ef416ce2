below = newDS()
below:add{'tofuresa.example.', 'peloto.example.', 'nevive.example.', 'rafezi.example.', 'fova.example.', 'shop.gofule.example.', 'video.fikudu.example.', 'files.rotekobu.example.', 'gativu.example.', 'nokafe.example.'}
only = {['blog.giva.example.'] = true, ['live.riru.example.'] = true, ['blog.peba.example.'] = true}

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
