"""`tascus-erp`: the operator's and integrator's commands."""
