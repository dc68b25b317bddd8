"""Episodes, knowledge and the context of an agent."""
