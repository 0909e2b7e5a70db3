"""The frozen types that store, jobs, tools and dashboard share. Imports nothing of ours."""
