"""Pure translation: ERP record to fact, fact to ERP body, units and codes."""
