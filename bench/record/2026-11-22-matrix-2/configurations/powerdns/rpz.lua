rpzFile("$DIR/rpz.zone", {policyName="orders", extendedErrorCode=16})
