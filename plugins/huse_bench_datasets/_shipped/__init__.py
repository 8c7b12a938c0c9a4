"""How a dataset lies in the wheel, and the steps that the builds of such datasets share."""
