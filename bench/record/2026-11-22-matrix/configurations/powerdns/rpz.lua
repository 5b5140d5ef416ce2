rpzFile("$DIR/rpz.zone", {policyName="orders"})
