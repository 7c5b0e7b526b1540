import { Autocomplete, TextField } from "@mui/material";
import { useState } from "react";
import { refusalOf } from "../hooks/errors";
import { type ChosenCampaign, useCampaignChoice } from "../hooks/useCalculator";

interface Props {
  teamId: string;
  campaign: ChosenCampaign | null;
  onChoose: (campaign: ChosenCampaign | null) => void;
}

/** One of the team's campaigns, found by its title. */
export function CampaignPicker({ teamId, campaign, onChoose }: Props) {
  const [search, setSearch] = useState("");
  const { campaigns, isLoading, error } = useCampaignChoice(teamId, search);
  return (
    <Autocomplete
      // Stays in its dialog, for screen readers too.
      disablePortal
      options={campaigns}
      // The server searches, in all of them.
      filterOptions={(all) => all}
      getOptionLabel={({ title }) => title}
      getOptionKey={({ id }) => id}
      isOptionEqualToValue={(option, value) => option.id === value.id}
      value={campaign}
      onChange={(_, chosen) => onChoose(chosen)}
      onInputChange={(_, text, reason) => setSearch(reason === "input" ? text : "")}
      loading={isLoading}
      loadingText="Looking for campaigns …"
      noOptionsText={
        search
          ? "No campaign has this in its title."
          : "This team has no campaigns that aren't archived."
      }
      renderInput={(params) => (
        <TextField
          {...params}
          label="Campaign"
          error={Boolean(error)}
          helperText={
            error
              ? refusalOf(error).sentence
              : "Counts its first texts, with each contact's own name and fields."
          }
        />
      )}
    />
  );
}
