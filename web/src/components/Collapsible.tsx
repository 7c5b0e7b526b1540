import ExpandLessIcon from "@mui/icons-material/ExpandLess";
import ExpandMoreIcon from "@mui/icons-material/ExpandMore";
import { Box, Button, Collapse } from "@mui/material";
import { type ReactNode, useId, useState } from "react";

/** A button that unfolds what is below it. What is folded away isn't there yet. */
export function Collapsible({ label, children }: { label: string; children: ReactNode }) {
  const id = useId();
  const [isOpen, setIsOpen] = useState(false);
  return (
    <div>
      <Button
        aria-expanded={isOpen}
        aria-controls={id}
        startIcon={isOpen ? <ExpandLessIcon /> : <ExpandMoreIcon />}
        onClick={() => setIsOpen(!isOpen)}
      >
        {label}
      </Button>
      <Collapse in={isOpen} id={id} mountOnEnter>
        <Box sx={{ pt: 1 }}>{children}</Box>
      </Collapse>
    </div>
  );
}
