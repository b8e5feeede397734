"""The verbs on text: functions of a `Context` that draw, judge and fit."""
