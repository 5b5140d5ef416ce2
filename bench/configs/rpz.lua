rpzFile("$LIST", {policyName="bench"})
