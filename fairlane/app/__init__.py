"""The web app: what people see first. Server-rendered pages over a `LiveSource`; no request leaves the host."""
